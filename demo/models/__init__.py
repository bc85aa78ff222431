"""The bundled models: their networks, weights, data and training."""
