using System.Text.Json.Serialization;

namespace MLNetExtension.Training.Averaging;

/// <summary>An average of the weights of many steps: an <see cref="Exponential"/> or a <see cref="Uniform"/> one. It takes 4 bytes for each trained weight, and changes nothing in the training.</summary>
/// <remarks>A step counts when it was applied and its weights gave a finite loss. Checkpoints keep the average.</remarks>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ExponentialAverage), "exponential")]
[JsonDerivedType(typeof(UniformAverage), "uniform")]
public abstract record WeightAveraging
{
    private protected WeightAveraging()
    {
    }

    /// <summary>
    /// Whether validation measures the average and the trained model has it: the best average that was measured, or the last one. Default true. False: both have the weights themselves, and checkpoints alone keep the
    /// average. Without validation it can be changed between a training and one that resumes from its checkpoints: <c>Fit</c> on a finished training then gives the other weights, without a step.
    /// </summary>
    public bool UseInModel { get; init; } = true;

    /// <summary>An exponential moving average: after t steps, A = d A + (1 - d) W, with d = min(decay, (1 + t) / (10 + t)), t from 0; at first, A is the weights that training begins with.</summary>
    /// <param name="decay">The decay, once the average has warmed up: 0.999 weighs about the last 1,000 steps. Default 0.999; from 0 to below 1.</param>
    /// <remarks>Source: B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", 1992, for averages of weights; the warm-up is that of TensorFlow's <c>ExponentialMovingAverage</c>.</remarks>
    public static WeightAveraging Exponential(double decay = 0.999) => new ExponentialAverage { Decay = decay };

    /// <summary>
    /// Stochastic weight averaging: the mean of the weights of every <paramref name="interval"/>-th step of the last share of the training, all of equal weight. No checkpoint files are needed. The learning rate
    /// keeps its schedule: one that stays high, <c>Constant</c> or <c>WarmupStableDecay</c>, gives an average more to gain than a cosine, whose last weights lie close together.
    /// </summary>
    /// <param name="share">The share of the training, by steps or by time, as its limits count. Default 0.25; above 0, at most 1.</param>
    /// <param name="interval">Steps from one to the next whose weights are taken, the first of them at the beginning of the share. Default 1; at least 1.</param>
    /// <remarks>Source: P. Izmailov et al., "Averaging weights leads to wider optima and better generalization", 2018, arXiv 1803.05407.</remarks>
    public static WeightAveraging Uniform(double share = 0.25, int interval = 1) => new UniformAverage { Share = share, Interval = interval };

    /// <summary>Whether the weights that training begins with are the first average.</summary>
    internal abstract bool BeginsWithFirstWeights { get; }

    /// <summary>Whether weights are from before the part of the training that counts.</summary>
    /// <param name="progress">Share of the training that was done when they were made.</param>
    internal abstract bool IsTooEarly(double progress);

    /// <summary>Whether the weights of a step are taken.</summary>
    /// <param name="steps">Steps since the last that was taken; null where there is none.</param>
    internal abstract bool Takes(int? steps);

    /// <summary>The part that the weights of the next step have in the average.</summary>
    /// <param name="count">Steps taken so far.</param>
    internal abstract double ShareOfNext(int count);

    internal abstract string Describe();

    internal abstract void Validate(string group);

    internal sealed record ExponentialAverage : WeightAveraging
    {
        public double Decay { get; init; } = 0.999;

        internal override bool BeginsWithFirstWeights => true;

        internal override bool IsTooEarly(double progress) => false;

        internal override bool Takes(int? steps) => true;

        internal override double ShareOfNext(int count) => 1 - Math.Min(Decay, (1.0 + count) / (10.0 + count));

        internal override string Describe() => FormattableString.Invariant($"Weights are averaged exponentially, with a decay of {Decay:G6}");

        internal override void Validate(string group) => Require.Share(Decay, group);
    }

    internal sealed record UniformAverage : WeightAveraging
    {
        // What shares of steps are off by, as quotients.
        private const double Rounding = 1e-9;

        public double Share { get; init; } = 0.25;

        public int Interval { get; init; } = 1;

        internal override bool BeginsWithFirstWeights => false;

        internal override bool IsTooEarly(double progress) => Share < 1 && progress <= 1 - Share + Rounding;

        internal override bool Takes(int? steps) => steps is null || steps >= Interval;

        internal override double ShareOfNext(int count) => 1.0 / (count + 1);

        internal override string Describe() =>
            FormattableString.Invariant($"The weights of {(Interval == 1 ? "every step" : $"one step in {Interval:N0}")} in the last {Share:P0} of the training are averaged");

        internal override void Validate(string group)
        {
            Require.That(Share is > 0 and <= 1, Share, "above 0 and at most 1", group);
            Require.That(Interval >= 1, Interval, "at least 1", group);
        }
    }
}
