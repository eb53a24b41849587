"""What the dispatcher's room shows: orders, couriers and figures. Pure: nothing here reads."""
