"""Publications that the shared lemmas are quoted from."""

from theory.claim import Paper

ABBASI_2011 = Paper(
    "abbasi_2011",
    "Online Least Squares Estimation with Self-Normalized Processes: An Application to Bandit Problems",
    ("Abbasi-Yadkori", "Pál", "Szepesvári"),
    2011,
    "arXiv",
    arxiv="1102.2670",
)
AGARWAL_2021 = Paper(
    "agarwal_2021",
    "On the Theory of Policy Gradient Methods: Optimality, Approximation, and Distribution Shift",
    ("Agarwal", "Kakade", "Lee", "Mahajan"),
    2021,
    "Journal of Machine Learning Research",
    arxiv="1908.00261",
)
AL_MAKDAH_2021 = Paper(
    "al_makdah_2021",
    "Learning Lipschitz Feedback Policies from Expert Demonstrations: "
    "Closed-Loop Guarantees, Generalization and Robustness",
    ("Al Makdah", "Krishnan", "Pasqualetti"),
    2021,
    "arXiv",
    arxiv="2103.16629",
)
AZAR_2017 = Paper(
    "azar_2017",
    "Minimax Regret Bounds for Reinforcement Learning",
    ("Azar", "Osband", "Munos"),
    2017,
    "ICML",
    arxiv="1703.05449",
)
BAXTER_2001 = Paper(
    "baxter_2001",
    "Infinite-Horizon Policy-Gradient Estimation",
    ("Baxter", "Bartlett"),
    2001,
    "Journal of Artificial Intelligence Research",
    doi="10.1613/jair.806",
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
DAI_2023 = Paper(
    "dai_2023",
    "Refined Regret for Adversarial MDPs with Linear Function Approximation",
    ("Dai", "Luo", "Wei", "Zimmert"),
    2023,
    "ICML",
    arxiv="2301.12942",
)
FATKHULLIN_2023 = Paper(
    "fatkhullin_2023",
    "Stochastic Policy Gradient Methods: Improved Sample Complexity for Fisher-non-degenerate Policies",
    ("Fatkhullin", "Barakat", "Kireeva", "He"),
    2023,
    "ICML",
    arxiv="2302.01734",
)
FAZLYAB_2019 = Paper(
    "fazlyab_2019",
    "Efficient and Accurate Estimation of Lipschitz Constants for Deep Neural Networks",
    ("Fazlyab", "Robey", "Hassani", "Morari", "Pappas"),
    2019,
    "NeurIPS",
    arxiv="1906.04893",
)
FREEDMAN_1975 = Paper(
    "freedman_1975",
    "On Tail Probabilities for Martingales",
    ("Freedman",),
    1975,
    "Annals of Probability",
    doi="10.1214/aop/1176996452",
)
GU_2025 = Paper(
    "gu_2025",
    "Policy Regularized Distributionally Robust Markov Decision Processes with Linear Function Approximation",
    ("Gu", "He", "Liu", "Xu"),
    2025,
    "arXiv",
    arxiv="2510.14246",
)
IYENGAR_2005 = Paper(
    "iyengar_2005",
    "Robust Dynamic Programming",
    ("Iyengar",),
    2005,
    "Mathematics of Operations Research",
    doi="10.1287/moor.1040.0129",
)
KEARNS_2002 = Paper(
    "kearns_2002",
    "Near-Optimal Reinforcement Learning in Polynomial Time",
    ("Kearns", "Singh"),
    2002,
    "Machine Learning",
    doi="10.1023/A:1017984413808",
)
KIRSZBRAUN_1934 = Paper(
    "kirszbraun_1934",
    "Über die zusammenziehende und Lipschitzsche Transformationen",
    ("Kirszbraun",),
    1934,
    "Fundamenta Mathematicae",
    doi="10.4064/fm-22-1-77-108",
)
LATTIMORE_2020 = Paper(
    "lattimore_2020",
    "Bandit Algorithms",
    ("Lattimore", "Szepesvári"),
    2020,
    "Cambridge University Press",
    doi="10.1017/9781108571401",
)
LIU_2024 = Paper(
    "liu_2024",
    "Distributionally Robust Off-Dynamics Reinforcement Learning: "
    "Provable Efficiency with Linear Function Approximation",
    ("Liu", "Xu"),
    2024,
    "AISTATS",
    arxiv="2402.15399",
)
LUO_2021 = Paper(
    "luo_2021",
    "Policy Optimization in Adversarial MDPs: Improved Exploration via Dilated Bonuses",
    ("Luo", "Wei", "Lee"),
    2021,
    "NeurIPS",
    arxiv="2107.08346",
)
MAURER_2009 = Paper(
    "maurer_2009",
    "Empirical Bernstein Bounds and Sample Variance Penalization",
    ("Maurer", "Pontil"),
    2009,
    "COLT",
    arxiv="0907.3740",
)
MCSHANE_1934 = Paper(
    "mcshane_1934",
    "Extension of Range of Functions",
    ("McShane",),
    1934,
    "Bulletin of the American Mathematical Society",
    doi="10.1090/S0002-9904-1934-05978-0",
)
NILIM_2005 = Paper(
    "nilim_2005",
    "Robust Control of Markov Decision Processes with Uncertain Transition Matrices",
    ("Nilim", "El Ghaoui"),
    2005,
    "Operations Research",
    doi="10.1287/opre.1050.0216",
)
PUTERMAN_1994 = Paper(
    "puterman_1994",
    "Markov Decision Processes: Discrete Stochastic Dynamic Programming",
    ("Puterman",),
    1994,
    "Wiley",
    doi="10.1002/9780470316887",
)
ROCKAFELLAR_2000 = Paper(
    "rockafellar_2000",
    "Optimization of Conditional Value-at-Risk",
    ("Rockafellar", "Uryasev"),
    2000,
    "Journal of Risk",
    doi="10.21314/JOR.2000.038",
)
SINGH_1994 = Paper(
    "singh_1994",
    "An Upper Bound on the Loss from Approximate Optimal-Value Functions",
    ("Singh", "Yee"),
    1994,
    "Machine Learning",
    doi="10.1007/BF00993308",
)
TAN_2025 = Paper(
    "tan_2025",
    "Actor-Critics Can Achieve Optimal Sample Efficiency",
    ("Tan", "Fan", "Wei"),
    2025,
    "ICML",
    arxiv="2505.03710",
)
TIAPKIN_2024 = Paper(
    "tiapkin_2024",
    "Demonstration-Regularized RL",
    ("Tiapkin", "Belomestny", "Calandriello", "Moulines", "Munos", "Naumov", "Perrault", "Valko", "Ménard"),
    2024,
    "ICLR",
    arxiv="2310.17303",
)
TROPP_2012 = Paper(
    "tropp_2012",
    "User-Friendly Tail Bounds for Sums of Random Matrices",
    ("Tropp",),
    2012,
    "Foundations of Computational Mathematics",
    arxiv="1004.4389",
)
WILLIAMS_1992 = Paper(
    "williams_1992",
    "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning",
    ("Williams",),
    1992,
    "Machine Learning",
    doi="10.1007/BF00992696",
)
