"""The web door with the clients that people use: browsers, validators, feed readers."""
