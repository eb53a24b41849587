"""What webhook endpoints are sent: Standard Webhooks, with bodies in the words of REST."""
