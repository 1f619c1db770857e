# -*- coding: utf-8-unix -*-
