"""Opens what delivers events: endpoints, the dispatcher, streams."""
