/* learn_gain.h: the mathematics of learning: what votes and clicks say about how well a sticker fits a query, as a gain
 * from -1 to 1, by which a search multiplies the sticker's score: score * (1 + weight * gain). No state, no database.
 *
 *     votes    The share of up-votes, drawn towards that of all votes (beta-binomial), and of that the end of its
 *              confidence interval (Wilson, JASA 1927) that is nearest to the middle: few or divided votes say nothing.
 *     clicks   Clicks over expected clicks (Zhang and Jones, WWW 2007): a click counts the more, the less the rank at
 *              which the sticker stood is clicked anyway. Where there are few votes, being passed over lowers a sticker
 *              further than clicks raise one.
 *     crowds   Less than LEARN_CROWD people, or people of one network only, say nothing. */
#ifndef PEEL_STICKER_SERVICE_LEARN_GAIN_H
#define PEEL_STICKER_SERVICE_LEARN_GAIN_H

#include "base/buf.h"
#include "sticker_store/sticker_learn.h"

#define LEARN_CROWD         3    /* voters, */
#define LEARN_NETWORKS      2    /* of so many networks, unless a token vouches for one of them */
#define LEARN_NETWORK_VOTES 3.0  /* the most that voters of one network weigh together, whom nobody vouches for */
#define LEARN_PRIOR         5.0  /* m: imagined votes that everything begins with */
#define LEARN_PRIOR_VOTES   100  /* that there must be before their share of ups is used; 0.5 until then */
#define LEARN_Z             1.28 /* one-sided, 90% */
#define LEARN_CLICK_PRIOR   10.0 /* a: imagined clicks, as many as expected */
#define LEARN_CLICK_NETWORK 1.0  /* clicks above or below what is expected that count of each network at most */
#define LEARN_VOTE_SHARE    0.7  /* of a gain, */
#define LEARN_CLICK_SHARE   0.3  /* and of clicks, */
#define LEARN_PASSED_SHARE  0.75 /* or of those that did not come, without votes; falls to LEARN_CLICK_SHARE */
#define LEARN_MANY_VOTES    10.0 /* with so many */
#define LEARN_BIAS_CLICKS   1000 /* until there are so many, rank k is looked at 1 / k^0.7 as much as rank 1 */
#define LEARN_FROM_ALIKE    0.5  /* how much a gain counts for another query that means the same, */
#define LEARN_FROM_ALL      0.2  /* and what is said of a sticker in all queries for one */

/* How much each rank is looked at, and how often what is looked at is clicked. */
struct learn_bias {
    double looked[LEARN_RANKS + 1]; /* by rank; 1 for rank 1 */
    double rate;
    bool estimated;
};
void learn_bias(const struct learn_rank ranks[LEARN_RANKS + 1], struct learn_bias *out);

/* Votes about one sticker, added up. Ballots come in any order. */
struct learn_tally {
    double ups, downs;       /* weighted and decayed */
    double votes, clicks;    /* the two gains, */
    double gain;             /* and both together */
    size_t voters, networks; /* that voted; networks: LEARN_NETWORKS where somebody is vouched for */
    double seen, clicked;    /* decayed, */
    double expected;         /* clicks */
    bool by_clicks;          /* no vote says so */
};
/* up_share: of all votes, as learn_up_share says. ballots: of one sticker, each voter once; their weights are changed.
 * clicks: NULL where there are none. */
void learn_tally(struct learn_ballot *ballots, size_t n, const struct learn_clicks *clicks,
                 const struct learn_bias *bias, double up_share, double half_life_us, int64_t now_us,
                 struct learn_tally *out);
/* Of all votes. Between 0.3 and 0.7, so that both kinds of votes say something wherever people mostly give one. */
double learn_up_share(int64_t ups, int64_t downs);
/* Of votes alone. n: with the imagined ones, p: the share of ups with them. */
double learn_vote_gain(double p, double n, double up_share);

/* --- gains as text --- lines "id gain\n" of two decimals; "id gain c\n" where no vote says so */
struct learn_gain {
    char sticker_id[37];
    double gain;
    bool by_clicks;
};
void learn_gain_write(const struct learn_gain *gain, struct buf *out);
/* The next one of *text, which moves on; false at the end. */
bool learn_gain_read(const char **text, struct learn_gain *out);

#endif
