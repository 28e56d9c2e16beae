"""Whether a sample's acquisition can be believed."""
