"""What happens, said once: code observes typed events; logs and metrics subscribe to them."""
