"""The figures of the worked examples of spec section 8 after each step, in every generation."""

from __future__ import annotations

# Columns: `outside`, `inside`, `page0`, `others`: _mapcount of those pages; ent, npm, lm: folio-wide counts;
# slots: per-mm counts of the two slots; AE: exclusive bits set; ANON, FILE, THPS: statistics; locked: locked
# operations of the step; dsplit: how often the condition for a deferred split held; calls: how often it was
# then asked for (from 6.10 on not again for a folio that is queued). -: the generation has no such field.

# 8.1: order 4; A faults it in, forks B; each unmaps pages 4-6, then the other 13 in two ranges.
E1 = {
    "v6.7": """
    step outside inside npm lm AE ANON locked dsplit calls
    t1      0      0    16   - 16   16     48      0     0
    t2      1      1    16   -  0   16     32      0     0
    t3      1      0    16   -  0   16      3      0     0
    t4      1     -1    13   -  0   13      6      0     0
    t5      0     -1    13   -  0   13     13      0     0
    t6     -1     -1     0   -  0    0     26      0     0
    """,
    "rfc-2023-12": """
    step outside inside npm lm AE ANON locked dsplit calls
    t1      0      0    16   - 16   16     16      0     0
    t2      1      1    16   -  0   16     32      0     0
    t3      1      0    16   -  0   16      3      0     0
    t4      1     -1    13   -  0   13      6      0     0
    t5      0     -1    13   -  0   13     13      0     0
    t6     -1     -1     0   -  0    0     26      0     0
    """,
    "v6.8": """
    step outside inside npm lm AE ANON locked dsplit calls
    t1      0      0    16   - 16   16     16      0     0
    t2      1      1    16   -  0   16     32      0     0
    t3      1      0    16   -  0   16      3      0     0
    t4      1     -1    13   -  0   13      6      1     1
    t5      0     -1    13   -  0   13     13      0     0
    t6     -1     -1     0   -  0    0     26      2     2
    """,
    "v6.10": """
    step outside inside npm lm AE ANON locked dsplit calls
    t1      0      0    16  15 16   16     16      0     0
    t2      1      1    16  31  0   16     33      0     0
    t3      1      0    16  28  0   16      4      0     0
    t4      1     -1    13  25  0   13      7      1     1
    t5      0     -1    13  12  0   13     15      0     0
    t6     -1     -1     0  -1  0    0     28      1     0
    """,
    "v6.12": """
    step outside inside npm lm AE ANON locked dsplit calls
    t1      0      0    16  15 16   16     16      0     0
    t2      1      1    16  31  0   16     33      0     0
    t3      1      0    16  28  0   16      4      0     0
    t4      1     -1    13  25  0   13      5      1     1
    t5      0     -1    13  12  0   13     15      0     0
    t6     -1     -1     0  -1  0    0     17      1     0
    """,
    "v6.15": """
    step outside inside npm lm slots     SHARED AE ANON locked dsplit calls
    t1      0      0    16  15 A:15/-         0 16   16     16      0     0
    t2      1      1    16  31 A:15/B:15      1  0   16     33      0     0
    t3      1      0    16  28 A:15/B:12      1  0   16      4      0     0
    t4      1     -1    13  25 A:12/B:12      1  0   13      5      1     1
    t5      0     -1    13  12 A:12/-         0  0   13     15      0     0
    t6     -1     -1     0  -1 -/-            0  0    0     17      1     0
    """,
    "v6.15-no-page-mapcount": """
    step outside inside npm lm slots     SHARED AE ANON locked dsplit calls
    t1     -1     -1     -  15 A:15/-         0 16   16     16      0     0
    t2     -1     -1     -  31 A:15/B:15      1  0   16     17      0     0
    t3     -1     -1     -  28 A:15/B:12      1  0   16      1      0     0
    t4     -1     -1     -  25 A:12/B:12      1  0   16      1      0     0
    t5     -1     -1     -  12 A:12/-         0  0   16      2      1     1
    t6     -1     -1     -  -1 -/-            0  0    0      2      1     0
    """,
}
# 8.2: order 9; A's PMD is split into PTEs, page 0 is unmapped, then the rest.
E2_BEFORE_6_10 = """
    step page0 others ent npm       lm  AE ANON THPS locked dsplit calls
    new    -1     -1   0  0x800000   -   1  512  512      1      0     0
    +512    0      0   0  0x800200   - 512  512  512   1536      0     0
    -PMD    0      0  -1  512        - 512  512    0      2      0     0
    -1     -1      0  -1  511        - 512  511    0      2      1     1
    -511   -1     -1  -1  0          - 512    0    0   1022      1     1
    """
E2 = {
    "v6.7": E2_BEFORE_6_10.replace("1022      1     1", "1022    511   511"),  # a call for each page
    "rfc-2023-12": E2_BEFORE_6_10,
    "v6.8": E2_BEFORE_6_10,
    "v6.10": """
    step page0 others ent npm       lm  AE ANON THPS locked dsplit calls
    new    -1     -1   0  0x800000   0   1  512  512      1      0     0
    +512    0      0   0  0x800200 512 512  512  512   1537      0     0
    -PMD    0      0  -1  512      511 512  512    0      3      0     0
    -1     -1      0  -1  511      510 512  511    0      3      1     1
    -511   -1     -1  -1  0         -1 512    0    0   1023      0     0
    """,
    "v6.12": """
    step page0 others ent npm       lm  AE ANON THPS locked dsplit calls
    new    -1     -1   0  0x800000   0   1  512  512      1      0     0
    +512    0      0   0  0x800200 512 512  512  512   1026      0     0
    -PMD    0      0  -1  512      511 512  512    0      3      0     0
    -1     -1      0  -1  511      510 512  511    0      3      1     1
    -511   -1     -1  -1  0         -1 512    0    0    513      0     0
    """,
    "v6.15": """
    step page0 others ent npm       lm slots   SHARED  AE ANON THPS locked dsplit calls
    new    -1     -1   0  0x800000   0 A:0/-        0   1  512  512      1      0     0
    +512    0      0   0  0x800200 512 A:512/-      0 512  512  512   1026      0     0
    -PMD    0      0  -1  512      511 A:511/-      0 512  512    0      3      0     0
    -1     -1      0  -1  511      510 A:510/-      0 512  511    0      3      1     1
    -511   -1     -1  -1  0         -1 -/-          0 512    0    0    513      0     0
    """,
    "v6.15-no-page-mapcount": """
    step page0 others ent npm       lm slots   SHARED  AE ANON THPS locked dsplit calls
    new    -1     -1   0  -          0 A:0/-        0   1  512  512      1      0     0
    +512   -1     -1   0  -        512 A:512/-      0 512  512  512    513      0     0
    -PMD   -1     -1  -1  -        511 A:511/-      0 512  512    0      2      0     0
    -1     -1     -1  -1  -        510 A:510/-      0 512  512    0      1      1     1
    -511   -1     -1  -1  -         -1 -/-          0 512    0    0      1      0     0
    """,
}
# 8.2, the whole split with one reference added for 511 mappings: locked operations.
E2_SPLIT = {
    "v6.7": 1539, "rfc-2023-12": 1539, "v6.8": 1539, "v6.10": 1541, "v6.12": 1030, "v6.15": 1030,
    "v6.15-no-page-mapcount": 516,
}  # fmt: skip
# 8.3: an order-4 file folio mapped by three mms; the third is not tracked. Locked by spec 12.2.
E3 = {
    "v6.12": """
    step  npm lm FILE locked
    +16A   16 15   16     18
    +16B   16 31   16     17
    +16C   16 47   16     17
    -16A   16 31   16     17
    -16B   16 15   16     17
    -10C    6  5    6     12
    +1C     7  6    7      3
    -1C     6  5    6      3
    -5C     1  0    1      7
    -1C'    0 -1    0      3
    """,
    "v6.15": """
    step  npm lm slots     SHARED FILE locked
    +16A   16 15 A:15/-         0   16     18
    +16B   16 31 A:15/B:15      1   16     17
    +16C   16 47 A:15/B:15      1   16     17
    -16A   16 31 -/B:15         1   16     17
    -16B   16 15 -/-            1   16     17
    -10C    6  5 -/-            1    6     12
    +1C     7  6 C:0/-          1    7      3
    -1C     6  5 -/-            1    6      3
    -5C     1  0 -/-            1    1      7
    -1C'    0 -1 -/-            0    0      3
    """,
    "v6.15-no-page-mapcount": """
    step  npm lm slots     SHARED FILE locked
    +16A    - 15 A:15/-         0   16      1
    +16B    - 31 A:15/B:15      1   16      1
    +16C    - 47 A:15/B:15      1   16      1
    -16A    - 31 -/B:15         1   16      1
    -16B    - 15 -/-            1   16      1
    -10C    -  5 -/-            1   16      1
    +1C     -  6 C:0/-          1   16      1
    -1C     -  5 -/-            1   16      1
    -5C     -  0 -/-            1   16      1
    -1C'    - -1 -/-            0    0      1
    """,
}
E3_BEFORE_6_10 = """
    step  npm lm FILE locked
    +16A   16  -   16     32
    +16B   16  -   16     16
    +16C   16  -   16     16
    -16A   16  -   16     16
    -16B   16  -   16     16
    -10C    6  -    6     20
    +1C     7  -    7      2
    -1C     6  -    6      2
    -5C     1  -    1     10
    -1C'    0  -    0      2
    """
E3 |= dict.fromkeys(("v6.7", "rfc-2023-12", "v6.8"), E3_BEFORE_6_10)
E3["v6.10"] = """
    step  npm lm FILE locked
    +16A   16 15   16     33
    +16B   16 31   16     17
    +16C   16 47   16     17
    -16A   16 31   16     17
    -16B   16 15   16     17
    -10C    6  5    6     21
    +1C     7  6    7      3
    -1C     6  5    6      3
    -5C     1  0    1     11
    -1C'    0 -1    0      3
    """
# 8.4: order 9; A forks B, B splits its PMD and unmaps 100 pages, A zaps its PMD, B unmaps the rest.
E4_BEFORE_6_10 = """
    step   page0 others ent npm       lm AE ANON THPS locked dsplit calls
    new       -1     -1   0  0x800000  -  1  512  512      1      0     0
    fork      -1     -1   1  0x800000  -  0  512  512      2      0     0
    B+512      0      0   1  0x800200  -  0  512  512   1024      0     0
    B-PMD      0      0   0  0x800200  -  0  512  512      1      0     0
    B-100     -1  mixed   0  0x80019c  -  0  512  512    200      0     0
    A-PMD     -1  mixed  -1  412       -  0  412    0      2      1     1
    B-412     -1     -1  -1  0         -  0    0    0    824      1     1
    """
E4 = {
    "v6.7": E4_BEFORE_6_10.replace("824      1     1", "824    412   412"),
    "rfc-2023-12": E4_BEFORE_6_10,
    "v6.8": E4_BEFORE_6_10,
    "v6.10": """
    step   page0 others ent npm       lm  AE ANON THPS locked dsplit calls
    new       -1     -1   0  0x800000   0  1  512  512      1      0     0
    fork      -1     -1   1  0x800000   1  0  512  512      3      0     0
    B+512      0      0   1  0x800200 513  0  512  512   1025      0     0
    B-PMD      0      0   0  0x800200 512  0  512  512      2      0     0
    B-100     -1  mixed   0  0x80019c 412  0  512  512    201      0     0
    A-PMD     -1  mixed  -1  412      411  0  412    0      3      1     1
    B-412     -1     -1  -1  0         -1  0    0    0    825      0     0
    """,
    "v6.12": """
    step   page0 others ent npm       lm  AE ANON THPS locked dsplit calls
    new       -1     -1   0  0x800000   0  1  512  512      1      0     0
    fork      -1     -1   1  0x800000   1  0  512  512      3      0     0
    B+512      0      0   1  0x800200 513  0  512  512    514      0     0
    B-PMD      0      0   0  0x800200 512  0  512  512      2      0     0
    B-100     -1  mixed   0  0x80019c 412  0  512  512    102      0     0
    A-PMD     -1  mixed  -1  412      411  0  412    0      3      1     1
    B-412     -1     -1  -1  0         -1  0    0    0    414      0     0
    """,
    "v6.15": """
    step   page0 others ent npm       lm  slots     SHARED AE ANON THPS locked dsplit calls
    new       -1     -1   0  0x800000   0 A:0/-          0  1  512  512      1      0     0
    fork      -1     -1   1  0x800000   1 A:0/B:0        1  0  512  512      3      0     0
    B+512      0      0   1  0x800200 513 A:0/B:512      1  0  512  512    514      0     0
    B-PMD      0      0   0  0x800200 512 A:0/B:511      1  0  512  512      2      0     0
    B-100     -1  mixed   0  0x80019c 412 A:0/B:411      1  0  512  512    102      0     0
    A-PMD     -1  mixed  -1  412      411 -/B:411        0  0  412    0      3      1     1
    B-412     -1     -1  -1  0         -1 -/-            0  0    0    0    414      0     0
    """,
    "v6.15-no-page-mapcount": """
    step   page0 others ent npm       lm  slots     SHARED AE ANON THPS locked dsplit calls
    new       -1     -1   0  -          0 A:0/-          0  1  512  512      1      0     0
    fork      -1     -1   1  -          1 A:0/B:0        1  0  512  512      3      0     0
    B+512     -1     -1   1  -        513 A:0/B:512      1  0  512  512      1      0     0
    B-PMD     -1     -1   0  -        512 A:0/B:511      1  0  512  512      2      0     0
    B-100     -1     -1   0  -        412 A:0/B:411      1  0  512  512      1      0     0
    A-PMD     -1     -1  -1  -        411 -/B:411        0  0  512    0      2      1     1
    B-412     -1     -1  -1  -         -1 -/-            0  0    0    0      1      0     0
    """,
}
TABLES = {"8.1": E1, "8.2": E2, "8.3": E3, "8.4": E4}
