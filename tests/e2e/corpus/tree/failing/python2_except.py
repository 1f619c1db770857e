try: pass
except A, b: pass
