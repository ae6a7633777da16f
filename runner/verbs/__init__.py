"""What callers may ask for: one function each, called by gql and by the routes of playcast."""
