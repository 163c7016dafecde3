"""hopscope."""
