-- Part of a row: the risk class of a kind of equipment, by what happens to a patient when it fails. Completion of
-- maintenance is judged by class; that of life support and of high risk has to be whole.
CASE
    WHEN kind IN ('anesthesia', 'defibrillator', 'ventilator') THEN 'life_support'
    WHEN kind IN ('surgical_robot', 'ct', 'mri', 'patient_monitor', 'infusion_pump', 'fetal_monitor', 'sterilizer')
        THEN 'high'
    WHEN kind IN ('xray', 'injector', 'ultrasound', 'laser') THEN 'medium'
    WHEN kind = 'vr_ai' THEN 'low'
    ELSE 'not_classed'
END