# -*- coding: Latin-1 -*-
x = "ä"
