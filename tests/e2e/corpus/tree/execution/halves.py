"""Both halves of a protocol in one function."""
x.open()
x.close()


def unguarded():
    f.open()  # @first
    f.close()  # @second


def guarded_finally():
    g.acquire()
    try:
        pass
    finally:
        g.release()


def guarded_with():
    with h.open():
        h.close()


def wrong_order():
    try:
        pass
    finally:
        i.release()  # @release
    i.acquire()  # @acquire


def order_in_one_line(): j.join(); j.start()  # @order


def opened():
    k = open(x)  # @k
    k.close()  # @k_close
    l.m = n[0] = open(x)  # @l
    l . m . close()  # @l_close
    n[ 0 ].close()  # @n_close
    with open(x) as o: pass
    o.close()
    p: File = open(x)  # @p
    (p).close()  # @p_close
    q, r = open(x)
    q.close()
    if (s := open(x)): s.close()
    t = x.open()
    t.close()
    u = open
    u.close()


def receivers():
    self.a.begin()  # @a
    self.b.commit()
    self.a.commit()  # @a_commit
    x(1).begin(); x( 1 ).commit()  # @call
    (
        y
        .z
    ).begin()
    y.z.commit()  # @lines
    begin(); commit()
    "a".start(); "a".join(x)
    f"{x}".start(); f"{x}".join(x)
    ("a" "b").start(); ("a" "b").join(x)
    f"{v.begin()} {v.commit()}"
    w.open; w.close
    w.acquire(); w.join()


def several():
    a.acquire()  # @one
    a.acquire()  # @two
    try:
        a.release()  # @three
    except Exception:
        a.release()  # @four
    else:
        a.release()  # @five
    b.start(), b.start(), b.join()  # @b
    c.open(), c.acquire(), c.release(), c.close()  # @c


def nested():
    d.start()
    e.start()  # @e

    def inner():
        d.join()
        try:
            pass
        finally:
            lambda: h.join()
    try:
        pass
    finally:
        def inside():
            e.start()  # @inner_e
            e.join()  # @inner_e_join
    lambda: e.join()  # @e_join
    h.start()


def finally_around():
    try:
        g.open()
    finally:
        if x:
            with x:
                class K:
                    g.close()


def with_items():
    with x, y.start() as z, (q.acquire()):
        y.join()
        q.release()
    with (r.acquire(), s.start()): r.release()
    with t.begin().more:  # @t
        t.commit()  # @t_commit
    with x(v.open()):  # @v
        v.close()  # @v_close
    with await u.acquire():  # @u
        u.release()  # @u_release


async def with_async():
    async with m.begin(): m.commit()
    async with n.begin(): pass
    n.begin(); n.commit()


def finally_but_wrong_order(): 
    a.close()  # @before
    try: a.open()  # @open
    finally: a.close()  # @after


def star():  # @star
    try:
        o.acquire()
    except* E:
        o.release()
    finally: o.release()
