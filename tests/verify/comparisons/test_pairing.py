r"""What belongs together in a list stays together; reference left, answer right."""

import pytest
from compared import EQUAL, rows, status

EQUAL_ROWS = rows(
    r"""
    x=1,y=2 or x=3,y=4 ~ x=3,y=4 or x=1,y=2
    x=1,y=2 or x=3,y=4 ~ y=2,x=1 or y=4,x=3
    x=1,y=2 or x=3,y=4 ~ (3,4) or (1,2)
    x=1,y=2 or x=3,y=4 ~ (y,x)=(2,1) or (y,x)=(4,3)
    x=1,y=2; x=3,y=4 ~ x=1 and y=2 or x=3 and y=4
    p=2,q=3 or p=3,q=2 ~ q=3,p=2 or q=2,p=3
    x=1,2; y=3,4 ~ y=3,4; x=1,2
    (1,2),(2,3) ~ (a,b)=(1,2),(2,3)
    x=\pm1,y=\pm2 ~ y=\pm2,x=\pm1
    x=\pm1,y=2 ~ y=2,x=\pm1
    x=0 or y=0 or x=1 ~ x=1 or y=0 or x=0
    x+y=3, x-y=1 ~ x-y=1, x+y=3
    1 for a>0, 2 for a<0 ~ 2 if a<0; 1 if a>0
    5 when x=3 ~ 5 if x=3
    \cos\pi=-1, \sin\pi=0 ~ \sin\pi=0, \cos\pi=-1
    -1, 0 ~ \sin\pi=0, \cos\pi=-1
    (x,y)=(1,2) ~ (y,x)=(2,1)
    (2,\pi,1) ~ (\rho,\theta,\phi)=(2,\pi,1)
    m=2,b=3 ~ (m,b)=(2,3)
    x^2 ~ x^2, x\in(0,\infty)
    """
)
NOT_EQUAL_ROWS = rows(
    r"""
    x=1,y=2 or x=3,y=4 ~ x=1 or y=2, x=3 or y=4
    x=1,y=2 or x=3,y=4 ~ x=1 or y=2 or x=3 or y=4
    x=1,y=2 or x=3,y=4 ~ a=1,b=2 or a=3,b=4
    x=1,y>2 or x=3,y>4 ~ x=1 or y>2, x=3 or y>4
    x=1,2; y=3,4 ~ y=4,3; x=1,2
    x=1,2,y=3 ~ x=1,y=2,3
    (1,2),(2,3) ~ (b,a)=(1,2),(2,3)
    x=\pm1,y=\pm2 ~ y=\mp2,x=\pm1
    1 for a=0, 2 for a=1 ~ 0 for a=1, 1 for a=2
    (k,2k), k\in\mathbb{Z} ~ (y,x)=(k,2k), k\in\mathbb{Z}
    (y,x)=(1,2) ~ (1,2)
    (3,2) ~ m=2,b=3
    x=1,2 ~ (1,2)
    x+1 ~ x+1, x\in\emptyset
    x+1 ~ x+1, x\neq x
    x^2 ~ x^2, x\in(5,\infty)
    """
)


@pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
def test_equal(reference, answer):
    assert status(reference, answer) is EQUAL


@pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL_ROWS)
def test_not_equal(reference, answer):
    assert status(reference, answer) is not EQUAL
