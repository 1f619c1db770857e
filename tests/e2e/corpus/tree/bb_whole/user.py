from held import in_held
