"""What differs between two models: settings, structure, shapes, names and costs."""
