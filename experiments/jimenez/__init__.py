"""The figures of Jiménez-González, Soriano and Lacasa, Phys. Rev. Research, doi 10.1103/t5p9-kv5w: one module each."""
