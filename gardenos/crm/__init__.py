"""The CRM: one folder per noun, each with its models, SQL, store, service and routes."""
