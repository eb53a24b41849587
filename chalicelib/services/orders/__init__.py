"""What customers, couriers and merchants do with orders, and what they write to each other."""
