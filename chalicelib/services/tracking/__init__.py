"""What a courier's fixes mean for an order under way: where it is, and when it will be there."""
