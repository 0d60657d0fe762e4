namespace MLNetExtension.Training.Preference;

/// <summary>What training on preferences minimizes: DPO, IPO, ORPO or SimPO of pairs of completions, KTO of completions that are good or bad each by itself.</summary>
/// <remarks>
/// <para>Notation: for a prompt x, y_w is the chosen completion and y_l the rejected one; log p(y|x) is the sum of the log-probabilities of a completion's tokens, the end-of-text included, |y| their number, and
/// r(y) = log p(y|x) - log p_ref(y|x), where the reference is the model that training starts from. A loss is summed over pairs, for KTO over rows, and divided once by their number in the batch.</para>
/// </remarks>
public abstract record PreferenceMethod
{
    private protected PreferenceMethod()
    {
    }

    /// <summary>Direct preference optimization: <c>-log s(h)</c> for <c>h = beta (r(y_w) - r(y_l))</c>, where s is the logistic function.</summary>
    /// <param name="beta">How strongly the model is held to the reference: large for strongly. Default 0.1, as in the paper; from 1.18e-38 to 1e30.</param>
    /// <param name="labelSmoothing">e, the probability that a pair's label is wrong: the loss is <c>-(1 - e) log s(h) - e log s(-h)</c>. Default 0; from 0 to below 0.5.</param>
    /// <param name="likelihoodWeight">
    /// alpha, the weight of the chosen completion's negative log-likelihood, averaged over its tokens, which is added to the loss. DPO alone is content where the chosen completion, too, becomes improbable, if only the rejected one does so faster;
    /// this keeps the model writing what is chosen. Default 0; from 0 to 1e30. The paper takes 1.
    /// </param>
    /// <remarks>
    /// Source: R. Rafailov et al., "Direct preference optimization", 2023, arXiv 2305.18290, equation 7; label smoothing: E. Mitchell, "A note on DPO with noisy preferences", 2023; the likelihood: R. Pang et al., "Iterative reasoning
    /// preference optimization", 2024, arXiv 2404.19733, equation 1.
    /// </remarks>
    public static PreferenceMethod Dpo(double beta = 0.1, double labelSmoothing = 0, double likelihoodWeight = 0) => new DpoMethod(beta, labelSmoothing, likelihoodWeight);

    /// <summary>Identity preference optimization: <c>(r(y_w) - r(y_l) - 1 / (2 tau))^2</c>, which stops where the difference is large enough.</summary>
    /// <param name="tau">Half the inverse of the difference that is aimed at. Default 0.1; from 1.18e-38 to 1e30.</param>
    /// <param name="averageOverTokens">Whether r(y) is divided by |y|, so that long completions do not outweigh short ones, as the paper's authors advised later; false for the paper's own sums. Default true.</param>
    /// <remarks>Source: M. Azar et al., "A general theoretical paradigm to understand learning from human preferences", 2023, arXiv 2310.12036, equation 17.</remarks>
    public static PreferenceMethod Ipo(double tau = 0.1, bool averageOverTokens = true) => new IpoMethod(tau, averageOverTokens);

    /// <summary>
    /// Odds ratio preference optimization, which needs no reference: the negative log-likelihood of the chosen completion, averaged over its tokens, and lambda times <c>-log s(log odds(y_w) - log odds(y_l))</c>, where odds(y) = P / (1 - P) and
    /// log P is the mean of the log-probabilities of y's tokens.
    /// </summary>
    /// <param name="lambda">The weight of the odds ratio. Default 0.1, as in the paper; from 0 to 1e30.</param>
    /// <remarks>Source: J. Hong, N. Lee and J. Thorne, "ORPO: monolithic preference optimization without reference model", 2024, arXiv 2403.07691, equations 6 and 7.</remarks>
    public static PreferenceMethod Orpo(double lambda = 0.1) => new OrpoMethod(lambda);

    /// <summary>Simple preference optimization, which needs no reference: <c>-log s(beta log p(y_w|x) / |y_w| - beta log p(y_l|x) / |y_l| - gamma)</c>.</summary>
    /// <param name="beta">The scale of rewards. Default 2; from 1.18e-38 to 1e30. The paper takes 2 to 2.5.</param>
    /// <param name="gamma">The margin that is aimed at. Default 1, half of beta; from 0 to 1e30. The paper takes 0.3 to 1.6.</param>
    /// <remarks>Source: Y. Meng, M. Xia and D. Chen, "SimPO: simple preference optimization with a reference-free reward", 2024, arXiv 2405.14734, equation 6.</remarks>
    public static PreferenceMethod SimPo(double beta = 2, double gamma = 1) => new SimPoMethod(beta, gamma);

    /// <summary>
    /// Kahneman-Tversky optimization, of rows that are desirable or not, without pairs: <c>d (1 - s(beta (r(y) - z)))</c> for a desirable completion and <c>u (1 - s(beta (z - r(y))))</c> for another. z, which has no gradient, is the mean of r over
    /// the batch's prompts, each with the completion of another row, and at least 0: an estimate of how far the model has moved from the reference.
    /// </summary>
    /// <param name="beta">How strongly the model is held to the reference. Default 0.1, as in the paper; from 1.18e-38 to 1e30.</param>
    /// <param name="desirableWeight">d. Default 1; from 0 to 1e30. The paper's advice: d times the number of desirable rows is to be 1 to 1.33 times u times that of the others.</param>
    /// <param name="undesirableWeight">u. Default 1; from 0 to 1e30.</param>
    /// <remarks>
    /// Source: K. Ethayarajh et al., "KTO: model alignment as prospect theoretic optimization", 2024, arXiv 2402.01306, equation 8. The other row is one nearby in the data whose prompt differs, the same in every epoch, so that what the reference
    /// says of it is computed once, and z is a number of the whole batch, however that is split.
    /// </remarks>
    public static PreferenceMethod Kto(double beta = 0.1, double desirableWeight = 1, double undesirableWeight = 1) => new KtoMethod(beta, desirableWeight, undesirableWeight);

    /// <summary>The method's name.</summary>
    internal abstract string Name { get; }

    /// <summary>Whether the loss looks at what the reference says.</summary>
    internal virtual bool NeedsReference => true;

    /// <summary>Whether rows come in pairs of a chosen and a rejected completion; otherwise each row is by itself, and comes with another that only z is taken from.</summary>
    internal virtual bool IsPaired => true;

    /// <summary>AdamW's learning rate for all weights of a model: that of the method's authors.</summary>
    internal virtual double LearningRate => 1e-6;

    /// <summary>AdamW's learning rate for low-rank adapters.</summary>
    internal virtual double AdapterLearningRate => 1e-5;

    /// <summary>The loss of a pair, its derivatives and its rewards.</summary>
    /// <param name="pair">What the model and the reference say.</param>
    /// <param name="baseline">z, for KTO; else 0.</param>
    internal abstract PairTerm Evaluate(PairLikelihoods pair, double baseline);

    internal abstract void Validate(string group);

    /// <summary>Name and coefficients, for the log and for what a checkpoint is compared with.</summary>
    public sealed override string ToString() => $"{Name} ({Coefficients})";

    private protected abstract string Coefficients { get; }

    private protected static string Text(FormattableString text) => FormattableString.Invariant(text);

    internal sealed record DpoMethod(double Beta, double LabelSmoothing, double LikelihoodWeight) : PreferenceMethod
    {
        internal override string Name => "DPO";

        // What came later is named only where it is set: earlier checkpoints do not.
        private protected override string Coefficients => Text($"beta {Beta:R}, label smoothing {LabelSmoothing:R}{(LikelihoodWeight == 0 ? "" : Text($", likelihood weight {LikelihoodWeight:R}"))}");

        internal override PairTerm Evaluate(PairLikelihoods pair, double baseline)
        {
            (double chosen, double rejected) = (Beta * pair.First.LogRatio, Beta * pair.Second.LogRatio);
            double h = chosen - rejected;
            double slope = Beta * (LabelSmoothing * Logistic.Value(h) - (1 - LabelSmoothing) * Logistic.Value(-h));
            double loss = (1 - LabelSmoothing) * Logistic.NegativeLog(h) + LabelSmoothing * Logistic.NegativeLog(-h);
            return new PairTerm(loss - LikelihoodWeight * pair.First.Mean, slope - LikelihoodWeight / pair.First.Tokens, -slope, chosen, rejected);
        }

        internal override void Validate(string group)
        {
            Require.Positive(Beta, group);
            Require.That(LabelSmoothing is >= 0 and < 0.5, LabelSmoothing, "from 0 to below 0.5", group);
            Require.NotNegative(LikelihoodWeight, group);
        }
    }

    internal sealed record IpoMethod(double Tau, bool AverageOverTokens) : PreferenceMethod
    {
        internal override string Name => "IPO";

        private protected override string Coefficients => Text($"tau {Tau:R}, {(AverageOverTokens ? "averages" : "sums")} over tokens");

        internal override PairTerm Evaluate(PairLikelihoods pair, double baseline)
        {
            (double ofChosen, double ofRejected) = AverageOverTokens ? (1.0 / pair.First.Tokens, 1.0 / pair.Second.Tokens) : (1, 1);
            (double chosen, double rejected) = (ofChosen * pair.First.LogRatio, ofRejected * pair.Second.LogRatio);
            double distance = chosen - rejected - 1 / (2 * Tau);
            return new PairTerm(distance * distance, 2 * distance * ofChosen, -2 * distance * ofRejected, Tau * chosen, Tau * rejected);
        }

        internal override void Validate(string group) => Require.Positive(Tau, group);
    }

    internal sealed record OrpoMethod(double Lambda) : PreferenceMethod
    {
        internal override string Name => "ORPO";

        internal override bool NeedsReference => false;

        internal override double LearningRate => 8e-6;

        internal override double AdapterLearningRate => 5e-5;

        private protected override string Coefficients => Text($"lambda {Lambda:R}");

        // The derivative of log odds(y) by log P is 1 / (1 - P). Times the slope -s(-h) = -odds(y_l) / (odds(y_l) + odds(y_w)) of -log s(h) it is, for the chosen completion, -1 / (1 - P(y_w) + P(y_w) / odds(y_l)): what grows without bound
        // as P(y_w) comes to 1 cancels.
        internal override PairTerm Evaluate(PairLikelihoods pair, double baseline)
        {
            (double chosen, double rejected) = (pair.First.Mean, pair.Second.Mean);
            (double notChosen, double notRejected) = (-Logistic.ExpMinus1(chosen), -Logistic.ExpMinus1(rejected));     // 1 - P
            double rejectedOdds = rejected - Math.Log(notRejected), h = chosen - Math.Log(notChosen) - rejectedOdds;          // logarithms
            double chosenSlope = -1 / (notChosen + Math.Exp(chosen - rejectedOdds)), rejectedSlope = Logistic.Value(-h) / notRejected;
            return new PairTerm(
                -chosen + Lambda * Logistic.NegativeLog(h), (Lambda * chosenSlope - 1) / pair.First.Tokens, Lambda * rejectedSlope / pair.Second.Tokens, Lambda * chosen, Lambda * rejected);
        }

        internal override void Validate(string group) => Require.NotNegative(Lambda, group);
    }

    internal sealed record SimPoMethod(double Beta, double Gamma) : PreferenceMethod
    {
        internal override string Name => "SimPO";

        internal override bool NeedsReference => false;

        private protected override string Coefficients => Text($"beta {Beta:R}, gamma {Gamma:R}");

        internal override PairTerm Evaluate(PairLikelihoods pair, double baseline)
        {
            (double chosen, double rejected) = (Beta * pair.First.Mean, Beta * pair.Second.Mean);
            double h = chosen - rejected - Gamma, slope = -Beta * Logistic.Value(-h);
            return new PairTerm(Logistic.NegativeLog(h), slope / pair.First.Tokens, -slope / pair.Second.Tokens, chosen, rejected);
        }

        internal override void Validate(string group)
        {
            Require.Positive(Beta, group);
            Require.NotNegative(Gamma, group);
        }
    }

    internal sealed record KtoMethod(double Beta, double DesirableWeight, double UndesirableWeight) : PreferenceMethod
    {
        internal override string Name => "KTO";

        internal override bool IsPaired => false;

        private protected override string Coefficients => Text($"beta {Beta:R}, desirable weight {DesirableWeight:R}, undesirable weight {UndesirableWeight:R}");

        internal override PairTerm Evaluate(PairLikelihoods pair, double baseline)
        {
            (double sign, double weight) = pair.IsUndesirable ? (-1, UndesirableWeight) : (1, DesirableWeight);
            double h = sign * Beta * (pair.First.LogRatio - baseline);
            double slope = -sign * weight * Beta * Logistic.Value(h) * Logistic.Value(-h), reward = Beta * pair.First.LogRatio;
            return new PairTerm(weight * Logistic.Value(-h), slope, 0, reward, Beta * baseline);
        }

        internal override void Validate(string group)
        {
            Require.Positive(Beta, group);
            Require.NotNegative(DesirableWeight, group);
            Require.NotNegative(UndesirableWeight, group);
        }
    }
}
