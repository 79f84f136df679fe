"""What positions and sizes tell: neighbours at any distance, cells, order, entropy, structure functions."""
