"""Small models with and without the delegate: cases, how to build them and how to run them."""
