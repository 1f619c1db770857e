# coding=us_ascii
