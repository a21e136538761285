"""Programs that measure the stack against stock libraries. `core.bench` starts them by name, reads their last line."""
