/**
 * What a kappa is called: the steps of Landis and Koch, “The measurement of observer agreement for
 * categorical data”, Biometrics 33 (1977), 159–174.
 */
export function kappaMeaning(kappa: number) {
  if (kappa < 0) return 'worse';
  if (kappa <= 0.2) return 'slight';
  if (kappa <= 0.4) return 'fair';
  if (kappa <= 0.6) return 'moderate';
  if (kappa <= 0.8) return 'substantial';
  return 'full';
}
