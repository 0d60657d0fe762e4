namespace MLNetExtension.Training.Optimization;

/// <summary>The course of the learning rate after the warm-up. P is the peak, F the floor, d the share, 0 to 1, of the steps after the warm-up that are done.</summary>
public enum ScheduleShape
{
    /// <summary>Half a cosine: F + (P - F) (1 + cos(pi d)) / 2. Source: I. Loshchilov and F. Hutter, "SGDR", 2017.</summary>
    Cosine,

    /// <summary>A line: P - (P - F) d.</summary>
    Linear,

    /// <summary>The peak, to the end.</summary>
    Constant,

    /// <summary>
    /// The peak, and in the last <see cref="ScheduleOptions.DecayShare"/> of the training a line down to the floor. Source: S. Hu et al., "MiniCPM", 2024, arXiv 2404.06395, and A. Hägele et al., "Scaling laws and
    /// compute-optimal training beyond fixed training durations", 2024, arXiv 2405.18392.
    /// </summary>
    WarmupStableDecay,

    /// <summary>P sqrt(W / s) after W warm-up steps (1 where there are none), s steps counted from 1, and not below the floor: it does not depend on the length of the training. Source: A. Vaswani et al., "Attention is
    /// all you need", 2017.</summary>
    InverseSquareRoot,
}
