"""How a declared REST call becomes requests: templates, pages, waits, signatures. No wires, no clock."""
