// Made by tools/generate_js.py from the Python enums; change those and run it again.

export const PAYLOAD_TYPES = [
  {"value": 0, "name": "REQ", "label": "Request"},
  {"value": 1, "name": "RESPONSE", "label": "Response"},
  {"value": 2, "name": "TXT_MSG", "label": "Direct text"},
  {"value": 3, "name": "ACK", "label": "Ack"},
  {"value": 4, "name": "ADVERT", "label": "Advert"},
  {"value": 5, "name": "GRP_TXT", "label": "Channel text"},
  {"value": 6, "name": "GRP_DATA", "label": "Channel data"},
  {"value": 7, "name": "ANON_REQ", "label": "Anonymous request"},
  {"value": 8, "name": "PATH", "label": "Path"},
  {"value": 9, "name": "TRACE", "label": "Trace"},
  {"value": 10, "name": "MULTIPART", "label": "Multipart"},
  {"value": 11, "name": "CONTROL", "label": "Control"},
  {"value": 15, "name": "RAW_CUSTOM", "label": "Raw"},
];

export const ROUTES = [
  {"value": 0, "name": "TRANSPORT_FLOOD", "label": "Flood, scoped"},
  {"value": 1, "name": "FLOOD", "label": "Flood"},
  {"value": 2, "name": "DIRECT", "label": "Direct"},
  {"value": 3, "name": "TRANSPORT_DIRECT", "label": "Direct, scoped"},
];

export const ROLES = [
  {"value": 0, "name": "none", "label": "No role"},
  {"value": 1, "name": "companion", "label": "Companion"},
  {"value": 2, "name": "repeater", "label": "Repeater"},
  {"value": 3, "name": "room", "label": "Room"},
  {"value": 4, "name": "sensor", "label": "Sensor"},
];

export const MIGRATION_STATES = [
  {"name": "pending", "active": false, "ended": false, "verbs": ["pause", "cancel"]},
  {"name": "running", "active": true, "ended": false, "verbs": ["pause", "cancel"]},
  {"name": "paused", "active": false, "ended": false, "verbs": ["resume", "cancel"]},
  {"name": "interrupted", "active": false, "ended": false, "verbs": ["pause", "cancel"]},
  {"name": "verifying", "active": true, "ended": false, "verbs": ["pause", "cancel"]},
  {"name": "done", "active": false, "ended": true, "verbs": []},
  {"name": "failed", "active": false, "ended": true, "verbs": ["cancel", "retry", "acknowledge"]},
  {"name": "cancelled", "active": false, "ended": true, "verbs": ["retry"]},
  {"name": "parked", "active": false, "ended": false, "verbs": []},
  {"name": "unknown", "active": false, "ended": false, "verbs": []},
];
