"""What is wrong with a spec: a module for each hundred of codes, E1xx to E8xx."""
