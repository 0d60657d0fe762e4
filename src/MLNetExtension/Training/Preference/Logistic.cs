namespace MLNetExtension.Training.Preference;

/// <summary>The logistic function and what goes with it, without loss of digits at either end.</summary>
internal static class Logistic
{
    /// <summary>1 / (1 + exp(-x)).</summary>
    public static double Value(double x) => x >= 0 ? 1 / (1 + Math.Exp(-x)) : Math.Exp(x) / (1 + Math.Exp(x));

    /// <summary>-log of the logistic function: log(1 + exp(-x)).</summary>
    public static double NegativeLog(double x) => Math.Max(-x, 0) + LogPlus1(Math.Exp(-Math.Abs(x)));

    /// <summary>exp(x) - 1, also for x near 0.</summary>
    /// <remarks>Source: W. Kahan's way, as in N. Higham, "Accuracy and stability of numerical algorithms", 2002, section 1.14.1.</remarks>
    public static double ExpMinus1(double x)
    {
        double power = Math.Exp(x), difference = power - 1;
        return power == 1 ? x : difference == -1 ? -1 : difference * x / Math.Log(power);
    }

    // log(1 + x), also for x near 0; section 1.14.1 likewise.
    private static double LogPlus1(double x)
    {
        double sum = 1 + x;
        return sum == 1 ? x : Math.Log(sum) * x / (sum - 1);
    }
}
