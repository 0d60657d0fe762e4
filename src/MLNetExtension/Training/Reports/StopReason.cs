namespace MLNetExtension.Training.Reports;

/// <summary>Why a training ended.</summary>
public enum StopReason
{
    /// <summary>A limit was reached: steps, epochs or time.</summary>
    LimitReached,

    /// <summary>The caller requested it.</summary>
    Requested,

    /// <summary>The validation loss did not fall for as many evaluations in a row as the patience allows.</summary>
    NoImprovement,

    /// <summary>Too many steps in a row were not finite.</summary>
    NonFiniteSteps,
}
