"""The figures of Danovski, Soriano and Lacasa, Front. Complex Syst. 2:1367957 (2024): one module each."""
