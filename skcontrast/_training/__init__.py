"""How an encoder is trained, and run."""
