"""What can be done with a finished run: verify, reproduce, override, sign, export."""
