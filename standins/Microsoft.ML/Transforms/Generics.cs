using System.Reflection;

namespace Microsoft.ML.Data;

internal static class Generics
{
    /// <summary>Calls a static generic method, given as one of its instances, for a type that is known only at run time.</summary>
    public static object Call(Delegate instance, Type type, params object[] args) => instance.Method.GetGenericMethodDefinition().MakeGenericMethod(type)
        .Invoke(null, BindingFlags.DoNotWrapExceptions, null, args, null);
}
