"""Publications that the shared lemmas are quoted from."""

from theory.claim import Paper

AGARWAL_2021 = Paper(
    "agarwal_2021",
    "On the Theory of Policy Gradient Methods: Optimality, Approximation, and Distribution Shift",
    ("Agarwal", "Kakade", "Lee", "Mahajan"),
    2021,
    "Journal of Machine Learning Research",
    arxiv="1908.00261",
)
AZAR_2017 = Paper(
    "azar_2017",
    "Minimax Regret Bounds for Reinforcement Learning",
    ("Azar", "Osband", "Munos"),
    2017,
    "ICML",
    arxiv="1703.05449",
)
BOUCHERON_2013 = Paper(
    "boucheron_2013",
    "Concentration Inequalities: A Nonasymptotic Theory of Independence",
    ("Boucheron", "Lugosi", "Massart"),
    2013,
    "Oxford University Press",
    doi="10.1093/acprof:oso/9780199535255.001.0001",
)
CAI_2020 = Paper(
    "cai_2020",
    "Provably Efficient Exploration in Policy Optimization",
    ("Cai", "Yang", "Jin", "Wang"),
    2020,
    "ICML",
    arxiv="1912.05830",
)
CESA_BIANCHI_2006 = Paper(
    "cesa_bianchi_2006",
    "Prediction, Learning, and Games",
    ("Cesa-Bianchi", "Lugosi"),
    2006,
    "Cambridge University Press",
    doi="10.1017/CBO9780511546921",
)
KEARNS_2002 = Paper(
    "kearns_2002",
    "Near-Optimal Reinforcement Learning in Polynomial Time",
    ("Kearns", "Singh"),
    2002,
    "Machine Learning",
    doi="10.1023/A:1017984413808",
)
LATTIMORE_2020 = Paper(
    "lattimore_2020",
    "Bandit Algorithms",
    ("Lattimore", "Szepesvári"),
    2020,
    "Cambridge University Press",
    doi="10.1017/9781108571401",
)
MAURER_2009 = Paper(
    "maurer_2009",
    "Empirical Bernstein Bounds and Sample Variance Penalization",
    ("Maurer", "Pontil"),
    2009,
    "COLT",
    arxiv="0907.3740",
)
PUTERMAN_1994 = Paper(
    "puterman_1994",
    "Markov Decision Processes: Discrete Stochastic Dynamic Programming",
    ("Puterman",),
    1994,
    "Wiley",
    doi="10.1002/9780470316887",
)
SINGH_1994 = Paper(
    "singh_1994",
    "An Upper Bound on the Loss from Approximate Optimal-Value Functions",
    ("Singh", "Yee"),
    1994,
    "Machine Learning",
    doi="10.1007/BF00993308",
)
