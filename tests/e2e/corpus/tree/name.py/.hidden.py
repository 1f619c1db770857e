def in_folder(x): return x == "bom one"
