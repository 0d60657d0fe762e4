namespace MLNetExtension.Training.Reports;

/// <summary>Why a training ended.</summary>
public enum StopReason
{
    /// <summary>A limit was reached: steps, epochs or time.</summary>
    LimitReached,

    /// <summary>Whoever trains asked for it.</summary>
    Requested,

    /// <summary>The validation loss had not fallen for as many evaluations as patience allowed.</summary>
    NoImprovement,

    /// <summary>Too many steps in a row were not finite.</summary>
    NonFiniteSteps,
}
