Console.WriteLine("MLNetAccum");
