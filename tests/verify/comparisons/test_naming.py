r"""What may stand left of a value: names, and what describes it; reference left, answer right."""

import pytest
from compared import EQUAL, rows, status

EQUAL_ROWS = rows(
    r"""
    5 ~ |AB|=5
    5 ~ |A|=5
    2\sqrt{2} ~ |\overrightarrow{AB}|=2\sqrt2
    |AB|=5 ~ AB=5
    60^\circ ~ m\angle A = 60^\circ
    m\angle A = 60^\circ ~ \angle A=60^\circ
    5 ~ E[X]=5
    2x+1 ~ \frac{dy}{dx}=2x+1
    \frac{dy}{dx}=2x ~ 2x
    \frac{dy}{dx}=2x ~ y'=2x
    \frac{x^3}{3}+C ~ \int x^2\,dx=\frac{x^3}{3}+C
    1 ~ \lim_{x\to 0}\frac{\sin x}{x}=1
    5050 ~ \sum_{k=1}^{100}k=5050
    \{1,2,3\} ~ A\cap B=\{1,2,3\}
    f^{-1}(x)=\frac{x-1}{2} ~ y=\frac{x-1}{2}
    3:4 ~ a:b=3:4
    f(x)=2x ~ f(t)=2t
    2,3 ~ x_1=2,x_2=3
    """
)
NOT_EQUAL_ROWS = rows(
    r"""
    5 ~ |x|=5
    5 ~ |AB|=6
    5 ~ \int_0^1 f(x)\,dx=5
    101 ~ \sum_{i=1}^{n} a i=101
    5 ~ |AB|=4=5
    4 ~ x^2=4
    4 ~ 2x=4
    5 ~ A+B=5
    5 ~ A^2=5
    2x ~ \frac{dy}{dx}=2x+1
    y=2x ~ \frac{dy}{dx}=2x
    f'(x)=2x ~ y=2x
    1 ~ \lim_{x\to 0}\frac{\sin x}{x}
    5050 ~ \sum_{k=1}^{100}k
    f(x)=2x ~ g(t)=2t
    f(x)=2x ~ f(t)=2x
    f(x)=2x+t ~ f(t)=2t+x
    f(x)=2x ~ f(2)=4
    f(x)=2x+a ~ f(a)=2a+a
    a:b=3:4 ~ b:a=3:4
    2,3 ~ x_1=2,y_2=3
    """
)


@pytest.mark.parametrize(("reference", "answer"), EQUAL_ROWS)
def test_equal(reference, answer):
    assert status(reference, answer) is EQUAL


@pytest.mark.parametrize(("reference", "answer"), NOT_EQUAL_ROWS)
def test_not_equal(reference, answer):
    assert status(reference, answer) is not EQUAL
