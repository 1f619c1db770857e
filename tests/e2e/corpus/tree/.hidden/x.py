def hidden(:
