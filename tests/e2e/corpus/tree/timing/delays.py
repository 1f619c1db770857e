"""Waiting for a literal time."""
sleep(31)


def one():
    sleep(31)  # @plain
    time.sleep(32)  # @attribute
    x.settimeout(33)  # @settimeout
    x.wait(timeout=34)  # @wait
    x.join(timeout=35.5)  # @join
    x.wait(36)  # @wait_positional
    x.join(37, other=38)  # @join_positional
    x.wait(39, timeout=40)  # @both
    x.wait(pred, timeout=41)  # @second
    sleep((42.0))  # @paren
    x.join(-43)  # @minus
    x.wait(4_4); x().wait(0x2d)  # @forms
    sleep(0); sleep(1)  # @common
    time.sleep(
        46)  # @below


def two():
    time.sleep(31.0)  # @plain2
    sleep(32)  # @attribute2
    x.wait(timeout=33)  # @settimeout2
    x.settimeout(34)  # @wait2
    sleep(35.5)  # @join2
    sleep(3_6)  # @wait_positional2
    sleep(37), sleep(38)  # @join_positional2
    sleep(39), sleep(40)  # @both2
    sleep(41)  # @second2
    lambda: sleep(4.2e1)  # @paren2
    sleep(- 43.0)  # @minus2
    sleep(44), sleep(45)  # @forms2
    sleep(0.0); sleep(1e0)  # @common2
    sleep(46)  # @below2


def none():
    settimeout(51); wait(52); join(53); wait(timeout=54)  # @no1
    sleep(55, x); sleep(x, 56); sleep(secs=57); sleep(58, key=x); sleep(*59)
    x.wait(x, 60); x.wait(*x, 61); x.join(other=62); x.wait(64 + 65)
    sleep("66"); sleep(67j); sleep(True); sleep(+68); sleep(--69); sleep(x or 70)
    f"{sleep(71)}"; x.settimeout(timeout=72); x.sleep.y(73); sleep(74)(75)
    x.sleep(76); x.sleep(76)


def none_again():
    sleep(51), sleep(52), sleep(53), sleep(54), sleep(55), sleep(56), sleep(57), sleep(58), sleep(59)  # @not1
    sleep(60), sleep(61), sleep(62), sleep(64), sleep(65), sleep(66), sleep(67), sleep(68), sleep(69)  # @none
    sleep(70), sleep(71), sleep(72), sleep(73), sleep(75)
