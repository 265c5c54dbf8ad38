"""What training and inference take: gradients, states, caches, time on a device."""
