"""Where connections may lead: classes of addresses, and what an operator or a tenant allows of them."""
