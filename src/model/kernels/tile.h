/* tile.h: the loop of a tile, for one instruction set and type. The including file, after vector.h, defines
 * TILE_MR, TILE_NR, TILE_NAME, the type TILE_ACC of a vector of sums, and TILE_DOT(acc, x, w), which adds
 * the products of the units in two vectors `vu` to acc. All sums stay in registers: the loops over rows and
 * columns are unrolled for each number of rows. Without TILE_DOT, the file brings its own tile_rows. */
#ifdef TILE_DOT
static inline __attribute__((always_inline)) void tile_rows(const size_t rows, const uint32_t *w, const uint32_t *x,
                                                            size_t units, const uint32_t *ahead, size_t pace,
                                                            uint32_t *out)
{
    enum { COLS = TILE_NR / LANES };
    TILE_ACC acc[TILE_MR][COLS];
    TILE_UNROLL
    for (size_t r = 0; r < rows; r++)
        TILE_UNROLL
    for (size_t c = 0; c < COLS; c++)
        acc[r][c] = (TILE_ACC){0};
    for (size_t u = 0; u < units; u++) {
        vu b[COLS];
        TILE_UNROLL
        for (size_t c = 0; c < COLS; c++) {
            memcpy(&b[c], w + c * LANES, sizeof b[c]);
            if (c * VBYTES % 64 == 0) /* once a cache line */
                __builtin_prefetch(ahead + c * LANES, 0, 2);
        }
        TILE_UNROLL
        for (size_t r = 0; r < rows; r++) {
            vu a = x[r] - (vu){0};
            TILE_UNROLL
            for (size_t c = 0; c < COLS; c++)
                TILE_DOT(acc[r][c], a, b[c]);
        }
        w += TILE_NR;
        ahead += pace;
        x += rows;
    }
    TILE_UNROLL
    for (size_t r = 0; r < rows; r++)
        TILE_UNROLL
    for (size_t c = 0; c < COLS; c++)
        memcpy(out + r * TILE_NR + c * LANES, &acc[r][c], sizeof acc[r][c]);
}
#endif

static void TILE_NAME(size_t rows, const uint32_t *w, const uint32_t *x, size_t units, const uint32_t *ahead,
                      size_t pace, uint32_t *out)
{
#define TILE_CASE(n)                                                                                                   \
    case n:                                                                                                            \
        if (n <= TILE_MR)                                                                                              \
            tile_rows(n <= TILE_MR ? n : 1, w, x, units, ahead, pace, out);                                            \
        break
    switch (rows) {
        TILE_CASE(1);
        TILE_CASE(2);
        TILE_CASE(3);
        TILE_CASE(4);
        TILE_CASE(5);
        TILE_CASE(6);
        TILE_CASE(7);
        TILE_CASE(8);
        TILE_CASE(9);
        TILE_CASE(10);
        TILE_CASE(11);
        TILE_CASE(12);
        TILE_CASE(13);
        TILE_CASE(14);
    }
#undef TILE_CASE
}
