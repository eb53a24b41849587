"""What customers and couriers do with orders, and what they say to each other."""
