"""The live feed: sees commits, keeps a bounded queue per client. Knows neither HTTP nor the shape of a message."""
