"""Pictures of gates, drawn without matplotlib."""
