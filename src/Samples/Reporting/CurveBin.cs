namespace Samples.Reporting;

/// <summary>Steps that share a point of a chart; it stands at the last of them.</summary>
internal sealed record CurveBin(IReadOnlyList<CurvePoint> Points)
{
    /// <summary>The last step.</summary>
    public CurvePoint Last => Points[^1];

    /// <summary>The loss of all their target tokens together.</summary>
    public double Loss => Points.Sum(point => point.Report.Loss * point.Report.TargetTokens) / Points.Sum(point => point.Report.TargetTokens);

    /// <summary>The largest gradient norm, so that no spike is lost.</summary>
    public double GradientNorm => Points.Max(point => point.Report.GradientNorm);

    /// <summary>The largest resident memory, in MiB.</summary>
    public double ResidentMiB => Points.Max(point => point.Report.Memory.ResidentMiB);

    /// <summary>Divides the steps of a training. A validation is never hidden: its step ends a bin.</summary>
    /// <param name="points">The steps.</param>
    /// <param name="maximum">About how many bins there may be, beside those that validations end.</param>
    public static IReadOnlyList<CurveBin> Divide(IReadOnlyList<CurvePoint> points, int maximum)
    {
        int size = 1 + (points.Count - 1) / maximum, start = 0;
        List<CurveBin> bins = [];
        for (int i = 0; i < points.Count; i++)
        {
            if (i + 1 - start < size && points[i].Report.ValidationLoss is null && i + 1 < points.Count)
                continue;
            bins.Add(new CurveBin([.. points.Skip(start).Take(i + 1 - start)]));
            start = i + 1;
        }
        return bins;
    }
}
