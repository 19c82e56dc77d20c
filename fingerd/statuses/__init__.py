"""The stores of statuses that were set: one module each, and what they share."""
